package replay

import (
	"crypto/sha1" // Redis names scripts so
	"encoding/hex"
)

// keyedScript looks an idempotency key up and adds the event if it is unknown, in one go.
//
// KEYS: the stream; the hash of known keys, whose values are the sum (32 bytes), the ID and
// the time in ms; the list of the keys (16 bytes each) with the same ID and time, in the
// order of forgetting. A key that came again after its window is twice in the list; only
// the one with the hash's ID counts.
// ARGV: hashed key, sum, window in ms, how many may be known, how many events may be kept
// (0: all), the hash of a key that must be known (empty: none), then the fields of the event.
// Answer: 0 and the ID when it was added, 1 and the ID of the first time, or 2 when the
// key was used for another event, 3 when the other key is not known.
const keyedScript = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local window, max = tonumber(ARGV[3]), tonumber(ARGV[4])
local known = redis.call('HGET', KEYS[2], ARGV[1])
if known then
  local id, at = string.match(string.sub(known, 33), '^(%S+) (%d+)$')
  if now - tonumber(at) <= window then
    if string.sub(known, 1, 32) == ARGV[2] then return {1, id} end
    return {2, id}
  end
end
if ARGV[6] ~= '' and not redis.call('HGET', KEYS[2], ARGV[6]) then return {3, ''} end
local id
if ARGV[5] == '0' then
  id = redis.call('XADD', KEYS[1], '*', unpack(ARGV, 7))
else
  id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[5], '*', unpack(ARGV, 7))
end
local tail = string.format('%s %.0f', id, now)
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. tail)
local n = redis.call('RPUSH', KEYS[3], ARGV[1] .. tail)
for i = 1, 64 do
  local oldest = redis.call('LINDEX', KEYS[3], 0)
  if not oldest then break end
  local first, at = string.match(string.sub(oldest, 17), '^(%S+) (%d+)$')
  if n <= max and now - tonumber(at) <= window then break end
  redis.call('LPOP', KEYS[3])
  n = n - 1
  local key = string.sub(oldest, 1, 16)
  local value = redis.call('HGET', KEYS[2], key)
  if value and string.sub(value, 33) == first .. ' ' .. at then redis.call('HDEL', KEYS[2], key) end
end
redis.call('PEXPIRE', KEYS[2], window)
redis.call('PEXPIRE', KEYS[3], window)
return {0, id}
`

// Answers of keyedScript.
const (
	keyedAdded   = 0
	keyedKnown   = 1
	keyedReused  = 2
	keyedTooSoon = 3
)

// raiseScript makes a stream go on above an ID that was given once: an entry with that ID
// comes and goes, which also says that what was before is not whole. A stream that is
// there already is left as it is. Answer: 1 when it was raised.
const raiseScript = `
local added = redis.pcall('XADD', KEYS[1], ARGV[1], 'raised', '1')
if type(added) == 'table' and added['err'] then
  if string.find(added['err'], 'equal or smaller') then return 0 end
  return added
end
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
`

// keyedScriptSHA is what Redis calls keyedScript.
var keyedScriptSHA = func() string {
	sum := sha1.Sum([]byte(keyedScript))
	return hex.EncodeToString(sum[:])
}()
