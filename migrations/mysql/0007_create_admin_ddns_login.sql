-- The logins of hosts that update themselves, with the SHA-256 of each secret. Times are UTC.
-- transactional: false
CREATE TABLE IF NOT EXISTS admin_ddns_login (
    id bigint NOT NULL AUTO_INCREMENT,
    login varchar(255) NOT NULL,
    secretHash char(64) NOT NULL,
    previousHash char(64) NULL,
    sharedSecret varchar(255) NULL,
    previousSharedSecret varchar(255) NULL,
    createdAt datetime NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY admin_ddns_login_login (login)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;
