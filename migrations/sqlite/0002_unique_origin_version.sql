-- Makes versions unique, and finds the latest without reading the others.
CREATE UNIQUE INDEX IF NOT EXISTS admin_ip_history_origin_version ON admin_ip_history (originId, version);
