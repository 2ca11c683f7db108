-- What tells a start whether it goes on where the one before ended, so that secondaries need no whole zone after it.
CREATE TABLE start (
    -- The numbers from which processes went on. Of such a number the book is as the change or the start before left it.
    serial INTEGER PRIMARY KEY,
    before INTEGER NOT NULL             -- the number of that change or start
) STRICT;
CREATE TABLE zone (
    -- The zones that may be transferred.
    name TEXT PRIMARY KEY,
    form INTEGER NOT NULL,              -- a hash of all that its records say beside what is listed
    since INTEGER NOT NULL              -- the start from which on it is that one
) STRICT, WITHOUT ROWID;
ALTER TABLE bulk_past ADD COLUMN steps BLOB; -- the networks that came or went; NULL: too many
