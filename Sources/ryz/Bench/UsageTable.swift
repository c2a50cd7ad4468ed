import ClusterClient
import LocalCluster
import OperatorTools

/// What the processes of a cluster took of their machine.
enum UsageTable {
    /// A Markdown table of memory, descriptors and threads of each process over time.
    static func lines(_ samples: [UsageSample]) -> [String] {
        let names = Set(samples.flatMap(\.processes.keys)).sorted()
        let rows = samples.map { sample in
            ["\(sample.time.components.seconds) s"]
                + names.map { name in
                    guard let usage = sample.processes[name] else { return "–" }
                    let memory = Units.bytes(usage.residentByteCount)
                    return "\(memory), \(usage.descriptorCount), \(usage.threadCount)"
                }
        }
        return
            ([["memory, descriptors, threads after"] + names, [String](repeating: "---:", count: names.count + 1)]
            + rows)
            .map { "| " + $0.joined(separator: " | ") + " |" }
    }
}

extension AnswerTally {
    var summary: String {
        "answers: \(equalCount) as undisturbed, \(differingCount) differ, \(failedCount) failed"
    }
}

extension FailoverTrial {
    /// Short and long questions, greedy and sampled.
    static func stories(generate: Int) -> [FailoverTrial] {
        let subjects = ["a clockmaker and the sea", "two goats on a bridge", "rain", "the last lighthouse"]
        return subjects.enumerated().flatMap { index, subject in
            [0, 0.9].map { temperature in
                var options = ChatOptions()
                options.temperature = temperature
                options.seed = UInt64(index + 1)
                options.maximumTokenCount = generate
                let question = [String](repeating: "Tell me a story about \(subject). ", count: 1 + index * 6).joined()
                return FailoverTrial(messages: [ChatMessage(role: "user", content: question)], options: options)
            }
        }
    }
}
