"""The stack's own examiner: checks other services' results and collected records by stated rules.

Named after its job and not after the service, so that no test runner collects it as tests.
"""
