-- Finds the hosts of a login.
CREATE INDEX IF NOT EXISTS admin_ddns_host_login ON admin_ddns_host (loginId);
