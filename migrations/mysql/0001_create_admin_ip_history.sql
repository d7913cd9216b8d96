-- The addresses of every origin, one row per version; other services read it. An existing table is kept unchanged.
-- transactional: false
CREATE TABLE IF NOT EXISTS admin_ip_history (
    id bigint NOT NULL AUTO_INCREMENT,
    createdAt datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updatedAt datetime NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    ip varchar(255) NOT NULL,
    name varchar(255) NOT NULL,
    version int NOT NULL DEFAULT 1,
    originId bigint NOT NULL DEFAULT 0,
    note text NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;
