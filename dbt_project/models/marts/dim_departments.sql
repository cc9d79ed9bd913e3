select department_id, title, mission
from {{ ref('departments') }}
