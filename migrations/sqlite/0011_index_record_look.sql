-- Finds the records that the publisher has to look at.
CREATE INDEX IF NOT EXISTS admin_ddns_record_look ON admin_ddns_record (lookAt);
