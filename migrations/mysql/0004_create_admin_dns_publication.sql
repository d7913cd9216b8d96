-- What was published for each version and record set, and whether DNS was seen to hold it. Times are UTC.
-- transactional: false
CREATE TABLE IF NOT EXISTS admin_dns_publication (
    id bigint NOT NULL AUTO_INCREMENT,
    historyId bigint NOT NULL,
    recordName varchar(255) NOT NULL,
    recordType varchar(10) NOT NULL,
    hostedZoneId varchar(32) NULL,
    address varchar(45) NULL,
    state varchar(20) NOT NULL,
    ttl int unsigned NULL,
    changeId varchar(64) NULL,
    attempts int NOT NULL DEFAULT 0,
    lastError text NULL,
    createdAt datetime NOT NULL,
    submittedAt datetime NULL,
    verifiedAt datetime NULL,
    checkedAt datetime NULL,
    drift text NULL,
    driftAt datetime NULL,
    PRIMARY KEY (id),
    UNIQUE KEY admin_dns_publication_record (historyId, recordName, recordType)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;
