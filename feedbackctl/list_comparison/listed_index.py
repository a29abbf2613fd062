"""Addresses on the suppression list, in a temporary file: a list of any length takes bounded memory."""

import sqlite3

_CREATE = "CREATE TABLE listed (variant TEXT PRIMARY KEY, address TEXT) WITHOUT ROWID"


class ListedIndex:
    """The entries that were read, by variant and by contact."""

    def __init__(self) -> None:
        # An empty name is a temporary file that ends with the connection: https://www.sqlite.org/inmemorydb.html
        self._file = sqlite3.connect("")
        self._file.execute(_CREATE)
        self._file.execute("CREATE INDEX by_address ON listed (address)")

    def add(self, variant: str, address: str) -> bool:
        """Add an entry of the contact `address`, and return True unless it is there already."""
        row = (variant, address)
        return self._file.execute("INSERT OR IGNORE INTO listed VALUES (?, ?)", row).rowcount == 1

    def has(self, address: str) -> bool:
        """Return True if a variant of the contact's address is on the list."""
        return self._file.execute("SELECT 1 FROM listed WHERE address = ? LIMIT 1", (address,)).fetchone() is not None

    def variants(self, address: str) -> list[str]:
        """Return the entries of a contact."""
        return [
            variant for (variant,) in self._file.execute("SELECT variant FROM listed WHERE address = ?", (address,))
        ]

    def close(self) -> None:
        """Delete the file."""
        self._file.close()
