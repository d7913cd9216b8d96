-- Finds the records that are not yet seen to hold the latest version.
CREATE INDEX IF NOT EXISTS admin_ddns_record_due ON admin_ddns_record (dueSince);
