package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
)

var operations = map[string]kadm.IncrementalOp{
	"set": kadm.SetConfig, "delete": kadm.DeleteConfig, "append": kadm.AppendConfig, "subtract": kadm.SubtractConfig,
}

func (s *session) lookup(asked request) (answer, error) {
	offsets := map[int32]int64{}
	for partition, timeMs := range asked.Times {
		listed, err := s.admin.ListOffsetsAfterMilli(context.Background(), timeMs, asked.Topic)
		if err == nil {
			err = listed.Error()
		}
		if err != nil {
			return nil, err
		}
		found, _ := listed.Lookup(asked.Topic, partition)
		offsets[partition] = found.Offset
		if found.Timestamp == -1 {
			// The end of the log in place of an answer.
			offsets[partition] = -1
		}
	}
	return answer{"offsets": offsets}, nil
}

func (s *session) committed(asked request) (answer, error) {
	found, err := s.admin.FetchOffsets(context.Background(), asked.Group)
	if err != nil {
		return nil, err
	}
	var partitions []int32
	if err := json.Unmarshal(asked.Partitions, &partitions); err != nil {
		return nil, err
	}
	offsets := map[int32]int64{}
	for _, partition := range partitions {
		offsets[partition] = -1
		if at, known := found.Lookup(asked.Topic, partition); known {
			offsets[partition] = at.At
		}
	}
	return answer{"offsets": offsets}, nil
}

func (s *session) createTopic(asked request) (answer, error) {
	var partitions int32
	if err := json.Unmarshal(asked.Partitions, &partitions); err != nil {
		return nil, err
	}
	_, err := s.admin.CreateTopic(context.Background(), partitions, asked.Replication, asked.Configs, asked.Topic)
	return answer{}, err
}

func (s *session) describeTopic(asked request) (answer, error) {
	found, err := s.admin.ListTopics(context.Background(), asked.Topic)
	if err == nil {
		err = found[asked.Topic].Err
	}
	return answer{"partitions": len(found[asked.Topic].Partitions)}, err
}

func (s *session) deleteTopic(asked request) (answer, error) {
	_, err := s.admin.DeleteTopic(context.Background(), asked.Topic)
	return answer{}, err
}

func (s *session) addPartitions(asked request) (answer, error) {
	found, err := s.admin.UpdatePartitions(context.Background(), asked.Total, asked.Topic)
	if err == nil {
		err = found[asked.Topic].Err
	}
	return answer{}, err
}

func (s *session) deleteRecords(asked request) (answer, error) {
	offsets := kadm.Offsets{}
	for partition, before := range asked.Before {
		offsets.AddOffset(asked.Topic, partition, before, -1)
	}
	found, err := s.admin.DeleteRecords(context.Background(), offsets)
	if err == nil {
		err = found.Error()
	}
	starts := map[int32]int64{}
	for partition, deleted := range found[asked.Topic] {
		starts[partition] = deleted.LowWatermark
	}
	return answer{"starts": starts}, err
}

func (s *session) configs(asked request) (answer, error) {
	var found kadm.ResourceConfigs
	var err error
	if asked.Type == "topic" {
		found, err = s.admin.DescribeTopicConfigs(context.Background(), asked.Name)
	} else {
		found, err = s.admin.DescribeBrokerConfigs(context.Background(), broker(asked.Name))
	}
	if err == nil {
		err = found[0].Err
	}
	if err != nil {
		return nil, err
	}
	configs := map[string]any{}
	for _, config := range found[0].Configs {
		configs[config.Key] = answer{"value": config.Value, "source": int8(config.Source), "read_only": nil}
	}
	return answer{"configs": configs}, nil
}

func broker(name string) int32 {
	id, err := strconv.Atoi(name)
	if err != nil {
		panic(err)
	}
	return int32(id)
}

func (s *session) alterConfigs(asked request) (answer, error) {
	var changes []kadm.AlterConfig
	for _, change := range asked.Changes {
		changes = append(changes, kadm.AlterConfig{Op: operations[*change[0]], Name: *change[1], Value: change[2]})
	}
	if asked.Type == "broker" {
		return altered(s.admin.AlterBrokerConfigs(context.Background(), changes, broker(asked.Name)))
	}
	return altered(s.admin.AlterTopicConfigs(context.Background(), changes, asked.Name))
}

func (s *session) replaceConfigs(asked request) (answer, error) {
	var wanted []kadm.AlterConfig
	for name, value := range asked.Configs {
		wanted = append(wanted, kadm.AlterConfig{Name: name, Value: value})
	}
	if asked.Type == "broker" {
		return altered(s.admin.AlterBrokerConfigsState(context.Background(), wanted, broker(asked.Name)))
	}
	return altered(s.admin.AlterTopicConfigsState(context.Background(), wanted, asked.Name))
}

func altered(found kadm.AlterConfigsResponses, err error) (answer, error) {
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d answers", len(found))
	}
	if err == nil {
		err = found[0].Err
	}
	return answer{}, err
}
