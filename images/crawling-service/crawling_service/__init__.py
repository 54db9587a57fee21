"""crawling-service: fetches public pages politely and can not be turned against its own network."""
