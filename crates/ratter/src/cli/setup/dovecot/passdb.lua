--
-- Asks Ratter's line gate before the password is checked. It refuses who is refused there, and leaves everything else,
-- its own failures too, to the passdbs that come after it.

local socket = require "socket"

local HOST, PORT = "@HOST@", @PORT@
-- A login waits this long for Ratter in all, in seconds, and then goes on.
local PATIENCE = @WAIT@

-- The line gate wants odd bytes as %XX, so that no login can end a word or the line.
local function escaped(value)
  return (tostring(value or ""):gsub("[^%w%.%-_@:]", function(c)
    return string.format("%%%02X", c:byte())
  end))
end

-- The number that Ratter answers; none if it does not.
local function ask(line)
  local connection = socket.tcp()
  if not connection then
    return nil
  end
  local began = socket.gettime()
  -- Each step has what is left; nobody waits longer when the clock is set back meanwhile.
  local function patient(step, ...)
    connection:settimeout(math.min(PATIENCE, math.max(0, PATIENCE - (socket.gettime() - began))), "t")
    return connection[step](connection, ...)
  end
  local number
  if patient("connect", HOST, PORT) and patient("send", line) then
    local answer = patient("receive", "*l")
    number = answer and tonumber(answer:match("^(%-?%d+) "))
  end
  connection:close()
  return number
end

local function question(req, stage)
  return "check address=" .. escaped(req.remote_ip) .. " login=" .. escaped(req.user)
    .. " service=" .. escaped(req.service) .. " session=" .. escaped(req.session) .. " stage=" .. stage .. "\n"
end

local function verdict(req)
  local number = ask(question(req, "before"))
  if number and number < 0 then
    return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, ""
  end
  return dovecot.auth.PASSDB_RESULT_NEXT, ""
end

function auth_password_verify(req, password)
  local fine, result, text = pcall(verdict, req)
  if fine then
    return result, text
  end
  return dovecot.auth.PASSDB_RESULT_NEXT, ""
end

-- Without a password nobody logs in: mail is delivered, a master user looks.
function auth_passdb_lookup(req)
  return dovecot.auth.PASSDB_RESULT_NEXT, ""
end
