package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func (s *session) produce(asked request) (answer, error) {
	producer, err := kgo.NewClient(s.producing(asked)...)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	places := make([][2]int64, len(asked.Records))
	failures := make(chan error, len(asked.Records))
	for number, sent := range asked.Records {
		producer.Produce(context.Background(), built(asked.Topic, sent), func(stored *kgo.Record, err error) {
			places[number] = [2]int64{int64(stored.Partition), stored.Offset}
			if err != nil {
				failures <- err
			}
		})
		if asked.Pause != nil && number%asked.Pause[0] == 0 {
			time.Sleep(time.Duration(asked.Pause[1]) * time.Millisecond)
		}
	}
	if err := producer.Flush(context.Background()); err != nil {
		return nil, err
	}
	select {
	case err := <-failures:
		return nil, err
	default:
		return answer{"places": places}, nil
	}
}

func (s *session) producing(asked request) []kgo.Opt {
	options := []kgo.Opt{
		kgo.SeedBrokers(s.address), kgo.AllowAutoTopicCreation(), kgo.ProducerLinger(5 * time.Millisecond),
		kgo.ProducerBatchCompression(codecs[asked.Codec]), kgo.ProducerBatchMaxBytes(asked.RequestBytesMax),
		kgo.RecordDeliveryTimeout(time.Duration(asked.TimeoutMs) * time.Millisecond),
	}
	if asked.Acks == 1 {
		options = append(options, kgo.RequiredAcks(kgo.LeaderAck()))
	}
	if !asked.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	if len(asked.Records) > 0 && asked.Records[0].partition != nil {
		options = append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	return options
}

func built(topic string, sent record) *kgo.Record {
	made := &kgo.Record{Topic: topic, Key: unpacked(sent.key), Value: unpacked(sent.value)}
	for _, header := range sent.headers {
		made.Headers = append(made.Headers, kgo.RecordHeader{Key: *header[0], Value: unpacked(header[1])})
	}
	if sent.partition != nil {
		made.Partition = *sent.partition
	}
	if sent.timeMs != nil {
		made.Timestamp = time.UnixMilli(*sent.timeMs)
	}
	return made
}

func (s *session) consuming(topic string, places map[int32]kgo.Offset, waitMs int, reset string) (*kgo.Client, error) {
	start := kgo.NewOffset().AtStart()
	if reset == "latest" {
		start = kgo.NewOffset().AtEnd()
	}
	return kgo.NewClient(
		kgo.SeedBrokers(s.address), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: places}),
		kgo.FetchMaxWait(time.Duration(waitMs)*time.Millisecond), kgo.FetchMaxPartitionBytes(8<<20),
		kgo.ConsumeResetOffset(start))
}

func (s *session) consume(asked request) (answer, error) {
	places := map[int32]kgo.Offset{}
	for partition, wanted := range asked.From {
		switch at := wanted.(type) {
		case float64:
			places[partition] = kgo.NewOffset().At(int64(at))
		case string:
			places[partition] = map[string]kgo.Offset{
				"beginning": kgo.NewOffset().AtStart(), "end": kgo.NewOffset().AtEnd()}[at]
		}
	}
	consumer, err := s.consuming(asked.Topic, places, asked.WaitMs, asked.Reset)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	until, cancel := context.WithTimeout(context.Background(), time.Duration(asked.Seconds)*time.Second)
	defer cancel()
	records := []any{}
	for len(records) < asked.Count && until.Err() == nil {
		fetches := consumer.PollFetches(until)
		if err := refusal(fetches); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(found *kgo.Record) { records = append(records, row(found)) })
	}
	return answer{"records": records}, nil
}

// Errors that are not just the end of waiting.
func refusal(fetches kgo.Fetches) (found error) {
	fetches.EachError(func(_ string, _ int32, err error) {
		if _, known := err.(*kerr.Error); known {
			found = err
		}
	})
	return found
}

func row(found *kgo.Record) []any {
	headers := [][]*string{}
	for _, header := range found.Headers {
		headers = append(headers, []*string{&header.Key, packed(header.Value)})
	}
	return []any{
		found.Partition, found.Offset, found.Timestamp.UnixMilli(), packed(found.Key), packed(found.Value), headers,
	}
}

func (s *session) seek(asked request) (answer, error) {
	first := map[int32]kgo.Offset{0: kgo.NewOffset().At(asked.Positions[0])}
	consumer, err := s.consuming(asked.Topic, first, 500, "earliest")
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	until, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	all := [][]int64{}
	for number, position := range asked.Positions {
		if number > 0 {
			consumer.SetOffsets(map[string]map[int32]kgo.EpochOffset{asked.Topic: {0: {Epoch: -1, Offset: position}}})
		}
		offsets := []int64{}
		for len(offsets) < asked.Count && until.Err() == nil {
			consumer.PollRecords(until, asked.Count-len(offsets)).EachRecord(func(found *kgo.Record) {
				offsets = append(offsets, found.Offset)
			})
		}
		all = append(all, offsets)
	}
	return answer{"offsets": all}, nil
}
