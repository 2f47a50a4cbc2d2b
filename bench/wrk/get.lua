-- GETs the address given to wrk.
require "report"
