import Foundation
import Kernels
import TestSupport
import Testing
import Transport

@testable import Inference

@Suite struct `A worker's speed` {
    private let folder: TemporaryFolder
    private let meter: NodeMeter

    init() throws {
        folder = try TemporaryFolder()
        meter = NodeMeter(threadCount: 1, instructionSet: .best, folder: folder.path + "/home/tuning")
    }

    private func path() throws -> String {
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/home/tuning")
        let name = try #require(files.first { $0.hasSuffix(".json") })
        return "\(folder.path)/home/tuning/\(name)"
    }

    @Test func `is measured once, and known at the next start`() throws {
        let first = try meter.rates()
        let rates = [
            first.ternary.bytesPerSecond, first.ternary.multiplyAddsPerSecond, first.other.bytesPerSecond,
            first.other.multiplyAddsPerSecond, first.attention.bytesPerSecond,
            first.attention.multiplyAddsPerSecond, first.taskSeconds, first.layerSeconds, first.hostBytesPerSecond,
        ]
        #expect(rates.allSatisfy { $0 > 0 && $0.isFinite })
        #expect((1.6...2).contains(first.ternaryBitsPerWeight))
        #expect(first.hostCoreCount > 0 && first.memoryFreeByteCount > 0)
        #expect(first.hostBytesPerSecond >= max(first.ternary.bytesPerSecond, first.other.bytesPerSecond))
        var second = try meter.rates()
        second.memoryFreeByteCount = first.memoryFreeByteCount
        #expect(second == first)
    }

    @Test func `is measured anew where what was kept is damaged, of another start, or not wanted`() throws {
        _ = try meter.rates()
        let path = try path()
        // Figures that no machine has show whether they were taken from the file.
        let whole = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
        let start = try #require(whole.range(of: "\"figures\":["))
        let forged = whole[..<start.upperBound] + "5,5,5,5,5,5,1.6,5,5,5]}"
        try Data(forged.utf8).write(to: URL(fileURLWithPath: path))
        #expect(try meter.rates().ternary.bytesPerSecond == 5)
        var other = meter
        other.threadCount = 2
        #expect(try other.rates().ternary.bytesPerSecond != 5)
        #expect(try meter.rates(again: true).ternary.bytesPerSecond != 5)
        for damaged in ["", "{", forged.replacing("5,5,5", with: "5,-5,5"), forged.replacing("5,5]", with: "5]")] {
            try Data(damaged.utf8).write(to: URL(fileURLWithPath: path))
            #expect(try meter.rates().ternary.bytesPerSecond != 5)
        }
    }

    @Test func `is measured where nothing can be kept`() throws {
        try folder.write("", "home")
        #expect(try meter.rates().other.bytesPerSecond > 0)
    }
}
