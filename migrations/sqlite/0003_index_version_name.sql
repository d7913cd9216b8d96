-- The origins (their first rows are version 1) found without reading the others.
CREATE INDEX IF NOT EXISTS admin_ip_history_version_name ON admin_ip_history (version, name);
