CREATE TABLE meta (
    -- What the store knows of itself: secret, created, journal_serial.
    name TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE listing (
    -- The listings in force. Every time is in milliseconds since 1970: datetime(since / 1000, 'unixepoch').
    list TEXT NOT NULL,                 -- the list's name in the configuration
    subject TEXT NOT NULL,              -- 192.0.2.1, 192.0.2.0/24, 2001:db8::/64, login:alice
    since INTEGER NOT NULL,
    until INTEGER,                      -- NULL: without end
    rule TEXT,                          -- the rule that made it, or NULL and
    person TEXT,                        -- the person who made it, with
    reason TEXT,                        -- the person's words
    evidence_count INTEGER NOT NULL,    -- events counted
    evidence_distinct INTEGER NOT NULL, -- different addresses, logins or guesses among them, where told apart
    evidence_first INTEGER NOT NULL,
    evidence_last INTEGER NOT NULL,
    PRIMARY KEY (list, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal (
    -- Every change of the book, by its serial.
    serial INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    change TEXT NOT NULL,               -- listed, or why no longer: expired, removed, replaced
    removed_by TEXT,                    -- who removed it
    list TEXT NOT NULL,
    subject TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    rule TEXT,
    person TEXT,
    reason TEXT,
    evidence_count INTEGER NOT NULL,
    evidence_distinct INTEGER NOT NULL,
    evidence_first INTEGER NOT NULL,
    evidence_last INTEGER NOT NULL
) STRICT;
CREATE INDEX journal_subject ON journal (subject);

CREATE TABLE event (
    -- What sensors and gates saw, in the order of arrival.
    id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,                 -- login-failed, login-ok, ...
    service TEXT NOT NULL,              -- imap, smtp, ...
    address TEXT,
    login TEXT,
    session TEXT,                       -- the mail server's name for the connection
    password INTEGER,                   -- a short tag that is equal for equal passwords; tells nothing else
    channel TEXT NOT NULL,              -- gate, front, auth
    tally TEXT NOT NULL,                -- one, refused, or total
    attempts INTEGER                    -- how many in all, if total
) STRICT;
CREATE INDEX event_time ON event (time);
CREATE INDEX event_address ON event (address, time) WHERE address IS NOT NULL;
CREATE INDEX event_login ON event (login, time) WHERE login IS NOT NULL;

CREATE TABLE owner (
    -- From which networks and with which passwords a login's owner logged in.
    id INTEGER PRIMARY KEY,
    login TEXT NOT NULL,
    network TEXT NOT NULL,
    at INTEGER NOT NULL,                -- last time
    password INTEGER                    -- a short tag as in event; NULL: not known
) STRICT;
CREATE UNIQUE INDEX owner_key ON owner (login, network, ifnull(password, -1));
CREATE INDEX owner_at ON owner (at);

CREATE TABLE position (
    -- How far each log file has been read.
    path TEXT PRIMARY KEY,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,          -- 16 hexadecimal digits
    lines INTEGER NOT NULL,             -- lines read so far
    events INTEGER NOT NULL             -- events made of them so far
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    -- Who did what.
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL
) STRICT;
