"""Tests of a running service: by its OpenAPI document, by the contract, by known answers.

What makes the requests runs in a child process (`child`), so that neither its libraries nor its
worst case are ever in the memory of the service.
"""
