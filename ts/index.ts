export {prune} from './pipeline/prune.js';
export {plan} from './pipeline/plan.js';
export {apply} from './pipeline/apply.js';
export {inspect} from './pipeline/inspect.js';
