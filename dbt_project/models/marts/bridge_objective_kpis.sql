select
    objectives.objective_id,
    links.kpi_id,
    links.process,
    links.report_table,
    cast(links.weight as integer) as weight
from {{ ref('objective_kpis') }} as links
inner join {{ ref('dim_objectives') }} as objectives
    on links.objective_id = objectives.objective_id
