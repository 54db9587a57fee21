"""paperwork-service: documents in, facts out; and an honest no where it can not read one."""
