-- Does what "ON UPDATE CURRENT_TIMESTAMP" does in MySQL.
CREATE TRIGGER IF NOT EXISTS admin_ip_history_updated AFTER UPDATE ON admin_ip_history
FOR EACH ROW WHEN NEW.updatedAt = OLD.updatedAt
BEGIN
    UPDATE admin_ip_history SET updatedAt = CURRENT_TIMESTAMP WHERE id = NEW.id;
END;
