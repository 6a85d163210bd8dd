-- For wrk: POST /v1/jobs with a body of 600 bytes and an id of its own for each request.
-- Arguments: a prefix of ids, and the one pool that jobs may use, if they may use only one.
local thread = 0

function setup(t)
  t:set("number", thread)
  thread = thread + 1
end

local before, after
local count = 0

function init(arguments)
  local prefix = (arguments[1] or "wrk") .. "-" .. number .. "-"
  local allow = arguments[2] and ',"allow":{"pools":["' .. arguments[2] .. '"]}' or ""
  local start = '{"id":"' .. prefix
  local rest = '","name":"pretrain-atlas-7b","tenant":"research","priority":100,'
    .. '"workers":[{"name":"trainer","count":1,"gpus":1,"cpuMillis":1000,"memoryMiB":2048}],"scope":"node"' .. allow
    .. ',"maxRuntimeSeconds":86400,"labels":{"project":"atlas","team":"language","owner":"research@lab.example",'
    .. '"checkpoint":"s3://lab-atlas/checkpoints","dataset":"web-2026-03-deduplicated",'
    .. '"experiment":"ablation-of-attention-17","note":"'
  local stop = '"}}'
  rest = rest .. string.rep("x", 600 - #start - 9 - #rest - #stop) .. stop
  before = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 600\r\n\r\n"
    .. start
  after = rest
end

function request()
  count = count + 1
  return before .. string.format("%09d", count) .. after
end
