-- The plan of an inventory, by SQL: the second opinion on what `engines/spark` makes of it.
--
-- Reads the view `inventory` (key, version_id, is_latest, is_delete_marker, size, last_modified, etag), one row a
-- version in no order, and the table `listed`, which holds what the bucket lists of the keys of `undecided`.

-- Where each version of these keys stands in the bucket's listing, newest 0.
CREATE OR REPLACE TABLE listed (key VARCHAR, version_id VARCHAR, place BIGINT);

-- Keys whose order an inventory does not tell: the latest is known, and of all others only their seconds. Where the
-- latest is not the newest by its time, time says nothing about the others either.
CREATE OR REPLACE VIEW undecided AS
WITH of_second AS (
    SELECT key, last_modified, count(*) FILTER (NOT is_latest) AS others, bool_or(is_latest) AS has_latest
    FROM inventory
    GROUP BY key, last_modified
)
SELECT key
FROM of_second
GROUP BY key
HAVING max(others) > 1 OR (NOT arg_max(has_latest, last_modified) AND sum(others) > 1);

-- Oldest first within a key: by the listing where it was asked, else by time, the latest last.
CREATE OR REPLACE VIEW ranked AS
SELECT
    inventory.*,
    row_number() OVER (
        PARTITION BY key
        ORDER BY place DESC NULLS LAST, is_latest, last_modified
    ) - 1 AS rank
FROM inventory
LEFT JOIN listed USING (key, version_id);

-- Effective time: never back within a key.
CREATE OR REPLACE VIEW plan AS
SELECT
    max(last_modified) OVER (
        PARTITION BY key ORDER BY rank ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS effective_time,
    key,
    rank,
    version_id,
    last_modified,
    is_delete_marker,
    is_latest,
    size,
    etag
FROM ranked;
