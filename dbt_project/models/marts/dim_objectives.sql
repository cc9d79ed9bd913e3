select objective_id, title, perspective, description, owner_department
from {{ ref('objectives') }}
