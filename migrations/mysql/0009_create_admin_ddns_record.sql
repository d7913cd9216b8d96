-- The origin of each host and record type, and when the publisher next has to look at its record set. Times are UTC.
-- transactional: false
CREATE TABLE IF NOT EXISTS admin_ddns_record (
    hostId bigint NOT NULL,
    recordType varchar(10) NOT NULL,
    originId bigint NOT NULL,
    version int NOT NULL,
    dueSince datetime NULL,
    lookAt datetime NULL,
    sentAt datetime NULL,
    freeZoneId varchar(32) NULL,
    freeTtl int NULL,
    freeAt datetime NULL,
    PRIMARY KEY (hostId, recordType),
    UNIQUE KEY admin_ddns_record_origin (originId),
    KEY admin_ddns_record_look (lookAt),
    KEY admin_ddns_record_due (dueSince)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4;
