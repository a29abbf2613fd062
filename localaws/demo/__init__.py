"""`feedbackctl demo`: emails sent through the deployed stack, and the contacts, suppression list and metrics after."""
