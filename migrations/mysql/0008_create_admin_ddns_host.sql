-- The hosts that update themselves. One that was removed stays, without a login, because its history does. Times are UTC.
-- transactional: false
CREATE TABLE IF NOT EXISTS admin_ddns_host (
    id bigint NOT NULL AUTO_INCREMENT,
    name varchar(255) NOT NULL,
    loginId bigint NULL,
    takesAws int NOT NULL DEFAULT 0,
    takesQuery int NOT NULL DEFAULT 0,
    isApex int NOT NULL DEFAULT 0,
    suffix varchar(45) NULL,
    createdAt datetime NOT NULL,
    blockedAt datetime NULL,
    slowedAt datetime NULL,
    requestedAt datetime NULL,
    requestClient varchar(255) NULL,
    requestCaller varchar(45) NULL,
    requestVerdict varchar(10) NULL,
    PRIMARY KEY (id),
    UNIQUE KEY admin_ddns_host_name (name),
    KEY admin_ddns_host_login (loginId)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;
