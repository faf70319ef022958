import './base.css';
import './front.css';
