"""`python -m paperwork_service`: the service as a process."""

from paperwork_service.app import service

service.run()
