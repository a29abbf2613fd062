"""Files in which other email services, and SES itself, export the addresses that they no longer send to."""
