-- What a program did about a subject is found by it: `reverse name`, `192.0.2.1: mail.example.org (…)`.
CREATE INDEX audit_what ON audit (who, what);
