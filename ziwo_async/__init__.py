"""ziwo_async: the asyncio SDK for ZIWO contact centres."""
