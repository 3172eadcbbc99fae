// The driver of franz-go; its requests are explained in scenarios/driver.py.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const unknownTopicOrPartition = 3

// One request; each verb takes what it needs of it.
type request struct {
	Do              string             `json:"do"`
	Topic           string             `json:"topic"`
	Records         []record           `json:"records"`
	Codec           string             `json:"codec"`
	Acks            int                `json:"acks"`
	Idempotent      bool               `json:"idempotent"`
	RequestBytesMax int32              `json:"request_bytes_max"`
	TimeoutMs       int                `json:"timeout_ms"`
	Pause           []int              `json:"pause"`
	From            map[int32]any      `json:"from"`
	Count           int                `json:"count"`
	Seconds         int                `json:"seconds"`
	WaitMs          int                `json:"wait_ms"`
	Reset           string             `json:"reset"`
	Positions       []int64            `json:"positions"`
	Times           map[int32]int64    `json:"times"`
	Partitions      json.RawMessage    `json:"partitions"`
	Replication     int16              `json:"replication"`
	Configs         map[string]*string `json:"configs"`
	Total           int                `json:"total"`
	Before          map[int32]int64    `json:"before"`
	Type            string             `json:"type"`
	Name            string             `json:"name"`
	Changes         [][]*string        `json:"changes"`
	Group           string             `json:"group"`
	Strategy        string             `json:"strategy"`
	Instance        *string            `json:"instance"`
	SessionMs       int                `json:"session_ms"`
	HeartbeatMs     int                `json:"heartbeat_ms"`
}

// An array of key, value, headers, partition and time.
type record struct {
	key, value *string
	headers    [][]*string
	partition  *int32
	timeMs     *int64
}

func (r *record) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&r.key, &r.value, &r.headers, &r.partition, &r.timeMs})
}

type answer = map[string]any

type session struct {
	address string
	client  *kgo.Client
	admin   *kadm.Client
}

var stdout sync.Mutex

func say(message answer) {
	line, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	stdout.Lock()
	defer stdout.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

func packed(content []byte) *string {
	if content == nil {
		return nil
	}
	text := base64.StdEncoding.EncodeToString(content)
	return &text
}

func unpacked(text *string) []byte {
	if text == nil {
		return nil
	}
	content, err := base64.StdEncoding.DecodeString(*text)
	if err != nil {
		panic(err)
	}
	return content
}

func refused(err error) answer {
	var code *kerr.Error
	switch {
	case errors.As(err, &code):
		return answer{"refused": code.Code, "text": err.Error()}
	case strings.Contains(err.Error(), "invalid record partitioning choice"):
		// The client looks for the partition in its metadata.
		return answer{"refused": unknownTopicOrPartition, "text": err.Error()}
	}
	fmt.Fprintln(os.Stderr, err)
	return answer{"failed": err.Error()}
}

func main() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	address := os.Args[1]
	if len(os.Args) > 2 {
		settings, _ := read(lines)
		member(address, settings, lines)
		return
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		panic(err)
	}
	served := &session{address, client, kadm.NewClient(client)}
	for {
		asked, err := read(lines)
		if err != nil {
			return
		}
		found, err := served.serve(asked)
		if err != nil {
			found = refused(err)
		}
		say(found)
	}
}

func read(lines *bufio.Reader) (request, error) {
	var asked request
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return asked, err
	}
	return asked, json.Unmarshal(line, &asked)
}

func (s *session) serve(asked request) (answer, error) {
	verbs := map[string]func(request) (answer, error){
		"produce": s.produce, "consume": s.consume, "seek": s.seek, "lookup": s.lookup, "committed": s.committed,
		"create_topic": s.createTopic, "describe_topic": s.describeTopic, "delete_topic": s.deleteTopic,
		"add_partitions": s.addPartitions, "delete_records": s.deleteRecords, "configs": s.configs,
		"alter_configs": s.alterConfigs, "replace_configs": s.replaceConfigs,
	}
	verb, known := verbs[asked.Do]
	if !known {
		return nil, fmt.Errorf("no verb %s", asked.Do)
	}
	return verb(asked)
}
