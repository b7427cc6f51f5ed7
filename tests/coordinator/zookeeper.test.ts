// The coordinator in ZooKeeper: the contract of all, and what is its own.
import { systemTest } from "../harness/system-test.ts";
import { startZookeeper, ZOOKEEPER_PROGRAMS } from "../harness/zookeeper.ts";
import { coordinatorContract } from "./contract.ts";

const test = systemTest(...ZOOKEEPER_PROGRAMS);

coordinatorContract(test, { start: startZookeeper });
