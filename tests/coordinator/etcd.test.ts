// The coordinator in etcd: the contract of all, and what is its own.
import { startEtcd } from "../harness/etcd.ts";
import { systemTest } from "../harness/system-test.ts";
import { coordinatorContract } from "./contract.ts";

const test = systemTest("etcd");

coordinatorContract(test, { start: startEtcd });
