-- SPDX-License-Identifier: Apache-2.0

-- A client that thinks for a millisecond before it asks again.
function delay()
  return 1
end
