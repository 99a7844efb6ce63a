package audit

import "encoding/json"

func readRecord(data []byte, r *Record) error { return json.Unmarshal(data, r) }
