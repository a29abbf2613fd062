"""Contacts: registers and their merge, status, DynamoDB items, history, and the repository that stores them."""
