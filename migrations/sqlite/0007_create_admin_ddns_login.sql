-- The logins of hosts that update themselves, with the SHA-256 of each secret. Times are UTC.
CREATE TABLE IF NOT EXISTS admin_ddns_login (
    id integer PRIMARY KEY AUTOINCREMENT,
    login varchar(255) NOT NULL,
    secretHash char(64) NOT NULL,
    previousHash char(64) NULL,
    sharedSecret varchar(255) NULL,
    previousSharedSecret varchar(255) NULL,
    createdAt datetime NOT NULL,
    UNIQUE (login)
);
