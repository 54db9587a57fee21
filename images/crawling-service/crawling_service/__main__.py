"""`python -m crawling_service`: the service as a process."""

from crawling_service.app import service

service.run()
