-- Finds the origins that publish one record, however many versions there are.
-- transactional: false
CREATE INDEX admin_dns_publication_record_checked ON admin_dns_publication (recordName, recordType, checkedAt);
