package main

import (
	"bufio"
	"context"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var balancers = map[string]kgo.GroupBalancer{
	"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(), "cooperative": kgo.CooperativeStickyBalancer(),
}

// One member of a group, until it is told to close.
func member(address string, settings request, lines *bufio.Reader) {
	consumer, err := kgo.NewClient(joining(address, settings)...)
	if err != nil {
		say(answer{"failed": err.Error()})
		return
	}
	commands := make(chan string)
	go func() {
		for {
			told, err := read(lines)
			if err != nil {
				os.Exit(0)
			}
			commands <- told.Do
		}
	}()
	for {
		poll(consumer)
		select {
		case told := <-commands:
			if err := consumer.CommitUncommittedOffsets(context.Background()); err != nil {
				say(answer{"failed": err.Error()})
			}
			if told == "close" {
				consumer.Close()
				return
			}
			say(answer{"committed": true})
		default:
		}
	}
}

func joining(address string, settings request) []kgo.Opt {
	tell := func(what string) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, found map[string][]int32) {
			partitions := found[settings.Topic]
			if partitions == nil {
				partitions = []int32{}
			}
			say(answer{what: partitions})
		}
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(address), kgo.ConsumerGroup(settings.Group), kgo.ConsumeTopics(settings.Topic),
		kgo.Balancers(balancers[settings.Strategy]), kgo.DisableAutoCommit(),
		kgo.SessionTimeout(time.Duration(settings.SessionMs) * time.Millisecond),
		kgo.HeartbeatInterval(time.Duration(settings.HeartbeatMs) * time.Millisecond),
		kgo.RebalanceTimeout(10 * time.Second), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(tell("assigned")), kgo.OnPartitionsRevoked(tell("revoked")),
		kgo.OnPartitionsLost(tell("revoked")),
	}
	if settings.Instance != nil {
		options = append(options, kgo.InstanceID(*settings.Instance))
	}
	return options
}

func poll(consumer *kgo.Client) {
	until, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	records := [][]any{}
	consumer.PollFetches(until).EachRecord(func(found *kgo.Record) {
		records = append(records, []any{found.Partition, found.Offset, packed(found.Value)})
	})
	if len(records) > 0 {
		say(answer{"records": records})
	}
}
