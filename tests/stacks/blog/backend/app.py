"""Titles out of a database, which it fills at the first request."""

from pathlib import Path

import flask
import pymysql

app = flask.Flask(__name__)
PASSWORD = Path("/run/secrets/db-password").read_text()
TITLES = ("First", "Second", "Third")


@app.route("/")
def titles():
    base = pymysql.connect(host="db", user="root", password=PASSWORD, database="blog")
    with base, base.cursor() as rows:
        rows.execute("CREATE TABLE IF NOT EXISTS post (title VARCHAR(99) PRIMARY KEY)")
        rows.executemany("INSERT IGNORE INTO post VALUES (%s)", [(one,) for one in TITLES])
        base.commit()
        rows.execute("SELECT title FROM post ORDER BY title")
        return "\n".join(title for (title,) in rows)
