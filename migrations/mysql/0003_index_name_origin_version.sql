-- Finds the origins of a name without reading other rows.
-- transactional: false
CREATE INDEX admin_ip_history_name_origin_version ON admin_ip_history (name, originId, version);
