-- Makes versions unique, and finds the latest without reading the others.
-- transactional: false
CREATE UNIQUE INDEX admin_ip_history_origin_version ON admin_ip_history (originId, version);
