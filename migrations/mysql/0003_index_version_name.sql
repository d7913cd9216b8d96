-- Finds the origins (the first row of each is version 1) without reading other rows.
-- transactional: false
CREATE INDEX admin_ip_history_version_name ON admin_ip_history (version, name);
