// kafkajs: the protocol in JavaScript. The requests are explained in `scenarios/driver.py`.
'use strict'

const readline = require('node:readline')
const { setTimeout: rest } = require('node:timers/promises')
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, PartitionAssigners, Partitioners, logLevel } =
  require('kafkajs')
const lz4 = require('lz4-napi')
const snappy = require('snappyjs')
const zstd = require('@mongodb-js/zstd')

const BATCH_RECORDS = 500
const FETCH_WAIT_MS = 250
const TOPIC_ALREADY_EXISTS = 36
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const RETRY = { initialRetryTime: 100, maxRetryTime: 500, retries: 5 }

class Unavailable extends Error {}
class Refused extends Error {
  constructor (code, text) {
    super(text)
    this.code = code
  }
}

const packed = content => content === null || content === undefined ? null : content.toString('base64')
const unpacked = content => content === null ? null : Buffer.from(content, 'base64')
const say = message => process.stdout.write(JSON.stringify(message) + '\n')

// kafkajs brings gzip only. Java frames snappy as xerial does, others send it raw.
CompressionCodecs[CompressionTypes.Snappy] = () => ({
  compress: async encoder => Buffer.from(snappy.compress(encoder.buffer)),
  decompress: async buffer =>
    buffer.subarray(0, 8).equals(XERIAL) ? xerial(buffer) : Buffer.from(snappy.uncompress(buffer))
})
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => lz4.compressFrame(encoder.buffer),
  decompress: async buffer => lz4.decompressFrame(buffer)
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => zstd.compress(encoder.buffer),
  decompress: async buffer => zstd.decompress(buffer)
})
const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD
}

function xerial (buffer) {
  const pieces = []
  for (let at = 16; at < buffer.length;) {
    const size = buffer.readInt32BE(at)
    pieces.push(Buffer.from(snappy.uncompress(buffer.subarray(at + 4, at + 4 + size))))
    at += 4 + size
  }
  return Buffer.concat(pieces)
}

/** The broker's code at the bottom of what was thrown. */
function refusal (failure) {
  for (let error = failure; error; error = error.cause || error.originalError) {
    if (Number.isInteger(error.code) && error.code > 0) return error.code
    const inner = (error.errors && error.errors[0]) || (error.partitions && error.partitions[0].error)
    if (inner) return refusal(inner)
  }
  return null
}

class Session {
  constructor (address) {
    this.kafka = new Kafka({ brokers: [address], logLevel: logLevel.ERROR, retry: RETRY })
    this.groups = 0
  }

  async admin (call) {
    const admin = this.kafka.admin()
    await admin.connect()
    try {
      return await call(admin)
    } finally {
      await admin.disconnect()
    }
  }

  async produce ({ topic, records, codec, acks, idempotent, timeout_ms: timeout, pause }) {
    // It counts tries, and those of what it calls multiply.
    const retry = { ...RETRY, retries: Math.ceil(timeout / 2000) }
    const producer = this.kafka.producer({
      idempotent, retry, createPartitioner: Partitioners.DefaultPartitioner, maxInFlightRequests: idempotent ? 1 : 5
    })
    await producer.connect()
    try {
      const size = pause ? pause[0] : BATCH_RECORDS
      for (let at = 0; at < records.length; at += size) {
        const messages = records.slice(at, at + size).map(message)
        const sent = await producer.send({ topic, acks, compression: CODECS[codec], messages })
        if (sent.length === 0) throw new Unavailable('a record for a partition that is not there is dropped in silence')
        if (pause) await rest(pause[1])
      }
    } finally {
      await producer.disconnect()
    }
    return { places: null }
  }

  /** Reads until `done(batch)` says so; it has no consumer without a group. */
  async read ({ topic, seconds, wait_ms: wait, fromBeginning }, start, done) {
    const group = `reader-${process.pid}-${Date.now()}-${this.groups++}`
    const consumer = this.kafka.consumer({
      groupId: group, maxWaitTimeInMs: wait, allowAutoTopicCreation: false, maxBytesPerPartition: 8 << 20,
      sessionTimeout: 10000, retry: RETRY
    })
    let over
    const ended = new Promise((resolve, reject) => {
      over = resolve
      // It starts again by itself after what will pass, such as a coordinator that loads.
      consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error))
    })
    // Reported where it is awaited.
    ended.catch(() => {})
    await consumer.connect()
    try {
      await consumer.subscribe({ topics: [topic], fromBeginning })
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch, isStale }) => {
          if (!isStale() && done(batch, consumer)) over()
        }
      })
      start(consumer)
      await Promise.race([ended, rest(seconds * 1000, null, { ref: false })])
    } finally {
      await consumer.disconnect()
    }
  }

  async consume (request) {
    const places = Object.entries(request.from)
    const offsets = places.filter(([, offset]) => Number.isInteger(offset))
    const wanted = new Map(offsets.map(([partition, offset]) => [Number(partition), offset]))
    const asked = new Set(places.map(([partition]) => Number(partition)))
    const records = []
    const seek = consumer => wanted.forEach((offset, partition) =>
      consumer.seek({ topic: request.topic, partition, offset: String(offset) }))
    const fromBeginning = places.some(([, offset]) => offset === 'beginning') || request.reset === 'earliest'
    await this.read({ ...request, fromBeginning }, seek, batch => {
      if (asked.has(batch.partition)) records.push(...batch.messages.map(found => record(batch.partition, found)))
      return records.length >= request.count
    })
    return { records }
  }

  async seek ({ topic, positions, count }) {
    const found = []
    let offsets = []
    const next = consumer => consumer.seek({ topic, partition: 0, offset: String(positions[found.length]) })
    await this.read({ topic, seconds: 30, wait_ms: 500, fromBeginning: true }, next, (batch, consumer) => {
      const fresh = batch.messages.map(({ offset }) => Number(offset))
      if (offsets.length === 0 && fresh[0] !== positions[found.length]) return false
      offsets = offsets.concat(fresh)
      if (offsets.length < count) return false
      found.push(offsets.slice(0, count))
      offsets = []
      if (found.length === positions.length) return true
      next(consumer)
      return false
    })
    return { offsets: found }
  }

  async lookup ({ topic, times }) {
    return this.admin(async admin => {
      const offsets = {}
      for (const [partition, time] of Object.entries(times)) {
        const ends = new Map((await admin.fetchTopicOffsets(topic)).map(end => [end.partition, end.high]))
        const found = (await admin.fetchTopicOffsetsByTimestamp(topic, time))
          .find(place => place.partition === Number(partition))
        if (found.offset === ends.get(found.partition)) throw new Unavailable('it answers with the end of the log')
        offsets[partition] = Number(found.offset)
      }
      return { offsets }
    })
  }

  async committed ({ group, topic, partitions }) {
    const [{ partitions: found }] = await this.admin(admin => admin.fetchOffsets({ groupId: group, topics: [topic] }))
    const offsets = new Map(found.map(({ partition, offset }) => [partition, Number(offset)]))
    return { offsets: Object.fromEntries(partitions.map(partition => [partition, offsets.get(partition) ?? -1])) }
  }

  async create_topic ({ topic, partitions, replication, configs }) {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    const made = await this.admin(admin => admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic, numPartitions: partitions, replicationFactor: replication, configEntries }]
    }))
    // The one error that it does not throw.
    if (!made) throw new Refused(TOPIC_ALREADY_EXISTS, 'createTopics gave false')
  }

  async describe_topic ({ topic }) {
    const { topics } = await this.admin(admin => admin.fetchTopicMetadata({ topics: [topic] }))
    return { partitions: topics[0].partitions.length }
  }

  async delete_topic ({ topic }) {
    await this.admin(admin => admin.deleteTopics({ topics: [topic] }))
  }

  async add_partitions ({ topic, total }) {
    await this.admin(admin => admin.createPartitions({ topicPartitions: [{ topic, count: total }] }))
  }

  async delete_records ({ topic, before }) {
    const partitions = Object.entries(before)
      .map(([partition, offset]) => ({ partition: Number(partition), offset: String(offset) }))
    return this.admin(async admin => {
      // For the metadata, which it does not ask for itself.
      await admin.fetchTopicOffsets(topic)
      await admin.deleteTopicRecords({ topic, partitions })
      const lows = new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, low }) => [partition, Number(low)]))
      return { starts: Object.fromEntries(partitions.map(({ partition }) => [partition, lows.get(partition)])) }
    })
  }

  async configs ({ type, name }) {
    const resources = [{ type: ConfigResourceTypes[type.toUpperCase()], name }]
    const found = await this.admin(admin => admin.describeConfigs({ resources, includeSynonyms: false }))
    return {
      configs: Object.fromEntries(found.resources[0].configEntries.map(entry =>
        [entry.configName, { value: entry.configValue, source: entry.configSource, read_only: entry.readOnly }]))
    }
  }

  async replace_configs ({ type, name, configs }) {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    const resources = [{ type: ConfigResourceTypes[type.toUpperCase()], name, configEntries }]
    await this.admin(admin => admin.alterConfigs({ validateOnly: false, resources }))
  }

  async alter_configs () {
    throw new Unavailable('it has only AlterConfigs, which replaces all')
  }
}

function message ([key, value, headers, partition, time]) {
  const order = headers.map(([name]) => name)
  if (order.some((name, at) => order.indexOf(name) !== at && order[at - 1] !== name)) {
    throw new Unavailable('headers are a map: the order of repeated names is lost')
  }
  const named = {}
  for (const [name, content] of headers) {
    if (content === null) throw new Unavailable('a header needs a value')
    named[name] = [...(named[name] || []), unpacked(content)]
  }
  const fields = { key: unpacked(key), value: unpacked(value), headers: named }
  if (partition !== null) fields.partition = partition
  if (time !== null) fields.timestamp = String(time)
  return fields
}

function record (partition, { offset, timestamp, key, value, headers }) {
  const named = Object.entries(headers).flatMap(([name, content]) =>
    [content].flat().map(each => [name, packed(each)]))
  return [partition, Number(offset), Number(timestamp), packed(key), packed(value), named]
}

async function member (address, settings, commands) {
  const kafka = new Kafka({ brokers: [address], logLevel: logLevel.ERROR, retry: { ...RETRY, retries: 20 } })
  const consumer = kafka.consumer({
    groupId: settings.group, sessionTimeout: settings.session_ms, heartbeatInterval: settings.heartbeat_ms,
    rebalanceTimeout: 10000, maxWaitTimeInMs: FETCH_WAIT_MS, partitionAssigners: [PartitionAssigners.roundRobin]
  })
  const next = new Map()
  let owned = []
  const give = partitions => {
    say({ revoked: owned })
    say({ assigned: partitions })
    owned = partitions
    next.clear()
  }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => give(payload.memberAssignment[settings.topic] || []))
  await consumer.connect()
  await consumer.subscribe({ topics: [settings.topic], fromBeginning: true })
  const commit = async () => consumer.commitOffsets([...next].map(([partition, offset]) =>
    ({ topic: settings.topic, partition, offset: String(offset) })))
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, isStale }) => {
      if (isStale()) return
      say({ records: batch.messages.map(found => [batch.partition, Number(found.offset), packed(found.value)]) })
      next.set(batch.partition, Number(batch.lastOffset()) + 1)
    }
  })
  for await (const line of commands) {
    const told = JSON.parse(line).do
    await commit()
    if (told === 'close') break
    say({ committed: true })
  }
  await consumer.disconnect()
}

async function answer (session, { do: what, ...request }) {
  try {
    return (await session[what](request)) || {}
  } catch (failure) {
    if (failure instanceof Unavailable) return { unavailable: failure.message }
    const code = refusal(failure)
    if (code !== null) return { refused: code, text: String(failure.message) }
    console.error(failure)
    return { failed: `${what}: ${failure.name}: ${failure.message}` }
  }
}

async function main ([address, mode]) {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  if (mode === 'member') {
    const settings = JSON.parse((await lines.next()).value)
    await member(address, settings, { [Symbol.asyncIterator]: () => lines })
      .catch(failure => say({ failed: `${failure.name}: ${failure.message}` }))
  } else {
    const session = new Session(address)
    for await (const line of { [Symbol.asyncIterator]: () => lines }) say(await answer(session, JSON.parse(line)))
  }
  process.exit(0)
}

main(process.argv.slice(2))
