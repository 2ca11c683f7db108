CREATE TABLE account (
    -- What is known of accounts that send mail, to see when somebody else uses one.
    key INTEGER PRIMARY KEY,            -- a hash of the login with the node's secret
    state BLOB NOT NULL                 -- hashes of places, programs and recipients, and points
) STRICT;
