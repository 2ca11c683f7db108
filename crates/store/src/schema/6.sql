CREATE TABLE exception (
    -- Who is let through or refused by word of a person or a program, whatever was counted.
    treatment TEXT NOT NULL,            -- pass, refuse
    network TEXT NOT NULL,              -- empty: from anywhere
    login TEXT NOT NULL,                -- empty: by any login
    until INTEGER NOT NULL,
    maker TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (treatment, network, login)
) STRICT, WITHOUT ROWID;
