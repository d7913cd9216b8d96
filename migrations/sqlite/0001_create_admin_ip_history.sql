-- The addresses of every origin, one row per version. An existing table is kept unchanged.
CREATE TABLE IF NOT EXISTS admin_ip_history (
    id integer PRIMARY KEY AUTOINCREMENT,
    createdAt datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updatedAt datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
    ip varchar(255) NOT NULL,
    name varchar(255) NOT NULL,
    version int NOT NULL DEFAULT 1,
    originId bigint NOT NULL DEFAULT 0,
    note text NULL
);
